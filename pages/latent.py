import streamlit as st

from pages.shared.address import PageSettings

SETTINGS = PageSettings("latent", {})
SETTINGS.follow()
st.title("latent")
