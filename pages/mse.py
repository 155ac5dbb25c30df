import streamlit as st

from pages.shared.address import PageSettings

SETTINGS = PageSettings("mse", {})
SETTINGS.follow()
st.title("mse")
