"""The pages of a reader study and the HTTP interface behind them."""

from pneumoscope.web.study.app import CoordinatorPage, ReaderPage, links, study_app

__all__ = ["CoordinatorPage", "ReaderPage", "links", "study_app"]
