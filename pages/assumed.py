import streamlit as st

from pages.shared.address import PageSettings

SETTINGS = PageSettings("assumed", {})
SETTINGS.follow()
st.title("assumed")
