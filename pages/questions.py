import streamlit as st

from pages.shared.address import PageSettings

SETTINGS = PageSettings("questions", {})
SETTINGS.follow()
st.title("questions")
