import streamlit as st

from pages.shared.address import PageSettings

SETTINGS = PageSettings("one_image", {})
SETTINGS.follow()
st.title("one_image")
