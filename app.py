"""The app: page set-up and navigation, nothing else. Run it with `streamlit run app.py`."""

import streamlit as st

from pages.shared.runtime import settle

st.set_page_config(page_title="What is ln p(x|z,w)?", page_icon="assets/icon.png", layout="wide")
page = st.navigation(
    [
        st.Page("pages/start.py", title="What is ln p(x|z,w)?", icon=":material/help:", default=True),
        st.Page("pages/one_pixel.py", title="One pixel", icon=":material/square:"),
        st.Page("pages/one_image.py", title="One image", icon=":material/image:"),
        st.Page("pages/mse.py", title="MSE is a Gaussian", icon=":material/functions:"),
        st.Page("pages/assumed.py", title="Which σ²?", icon=":material/balance:"),
        st.Page("pages/train.py", title="Train", icon=":material/model_training:"),
        st.Page("pages/latent.py", title="Latent space", icon=":material/scatter_plot:"),
        st.Page("pages/questions.py", title="Questions", icon=":material/quiz:"),
    ],
    position="top",
)
settle()
page.run()
