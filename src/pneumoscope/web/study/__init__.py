"""The pages of a reader study and the HTTP interface behind them."""

from pneumoscope.web.study.app import Links, links, study_app

__all__ = ["Links", "links", "study_app"]
