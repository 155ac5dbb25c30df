"""The app: its routes, page set-up and navigation, nothing else. Run it with `streamlit run app.py`."""

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext

PAGES = {  # by folder, which is the address too; the first is the default
    "start": "Start",
    "one_pixel": "One pixel",
    "one_image": "One image",
    "two_pixels": "Two pixels",
    "mse": "MSE",
    "assumed": "Which σ²?",
    "linear": "Linear VAE",
    "compare": "Compare",
    "train": "Train",
    "experiments": "Experiments",
    "latent": "Latent space",
    "runs": "Runs",
    "questions": "Questions",
    "classroom": "Class",
}


def visit(context: ScriptRunContext) -> None:
    if PagesManager.uses_pages_directory and context.pages_manager.intended_page_name in PAGES:
        # A folder called pages/ makes Streamlit look for files in it until st.navigation has run once: the very first
        # visitor of a server would be told that the linked page is not there. Ask again, now that it knows better.
        PagesManager.uses_pages_directory = False
        asked = f"location.pathname + '{context.pages_manager.intended_page_name}' + location.search + location.hash"
        st.html(f"<script>location.assign({asked})</script>", unsafe_allow_javascript=True)
        st.stop()
    from pages.shared.links import land
    from pages.shared.runtime import prepare_process
    from pages.shared.tour import follow_tour

    st.set_page_config(page_title="What is ln p(x|z,w)?", page_icon="assets/icon.png", layout="wide")
    page = st.navigation(
        [
            st.Page(f"pages/{name}/page.py", title=title, url_path=name, default=name == "start")
            for name, title in PAGES.items()
        ],
        position="top",
    )
    prepare_process()
    follow_tour(page.url_path or "start")
    page.run()
    land()


# The server reads this file once, for its routes; then it is the script of every visit.
if context := get_script_run_ctx(suppress_warning=True):
    visit(context)
else:
    from starlette.middleware import Middleware

    from pages.shared.gate import guard
    from pages.shared.learner import NamedVisitors
    from pages.shared.reach import warn_of_visitors
    from pages.shared.runtime import engine_from_the_start
    from pages.shared.served import ROUTES as NETWORKS
    from pages.shared.stage.route import ROUTES

    warn_of_visitors()
    guard()
    routes = [*ROUTES, *NETWORKS]
    app = st.App(__file__, routes=routes, middleware=[Middleware(NamedVisitors)], lifespan=engine_from_the_start)
