"""The app: page set-up and navigation, nothing else. Run it with `streamlit run app.py`."""

import streamlit as st

from pages.shared.runtime import prepare_process

PAGES = {  # by folder, which is the address too; the first is the default
    "start": ("What is ln p(x|z,w)?", ":material/help:"),
    "one_pixel": ("One pixel", ":material/square:"),
    "one_image": ("One image", ":material/image:"),
    "mse": ("MSE is a Gaussian", ":material/functions:"),
    "assumed": ("Which σ²?", ":material/balance:"),
    "train": ("Train", ":material/model_training:"),
    "latent": ("Latent space", ":material/scatter_plot:"),
    "questions": ("Questions", ":material/quiz:"),
}
st.set_page_config(page_title="What is ln p(x|z,w)?", page_icon="assets/icon.png", layout="wide")
page = st.navigation(
    [
        st.Page(f"pages/{name}/page.py", title=title, icon=icon, url_path=name, default=name == "start")
        for name, (title, icon) in PAGES.items()
    ],
    position="top",
)
prepare_process()
page.run()
