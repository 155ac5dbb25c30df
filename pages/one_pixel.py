import streamlit as st

from pages.shared.address import PageSettings

SETTINGS = PageSettings("one_pixel", {})
SETTINGS.follow()
st.title("one_pixel")
