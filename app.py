"""The app: page set-up and navigation, nothing else. Run it with `streamlit run app.py`."""

import streamlit as st

from pages.shared.runtime import settle_memory

st.set_page_config(page_title="What is ln p(x|z,w)?", page_icon="assets/icon.png", layout="wide")
page = st.navigation(
    [
        st.Page("pages/start.py", title="What is ln p(x|z,w)?", icon=":material/help:", default=True),
        st.Page("pages/train.py", title="Train", icon=":material/model_training:"),
    ],
    position="top",
)
settle_memory()
page.run()
