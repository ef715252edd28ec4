"""Tables, figures and one self-contained HTML page."""

from parasym.report.figure import MATCHED, NAIVE, Curve, Figure, correlation_figure, fields_figure, interpolation_figure
from parasym.report.forest import ClaimGroup, forest_figure
from parasym.report.hop import HopResult, hop_page, hop_table, orbit_figure, runs_figure, runs_table
from parasym.report.number import big_integer, mean_spread, percent, sig
from parasym.report.overview import Reported, overview_markdown, write_overview
from parasym.report.page import Card, Page, Section, render_page
from parasym.report.study import claim_table, result_table, study_figure, study_markdown, study_page, write_results
from parasym.report.symmetry import coarse_table, factor_table, shortened, symmetry_tables, uncovered_table
from parasym.report.table import Columns, Table, rich_table
from parasym.report.verification import completeness_table, report_tables, soundness_table

__all__ = [
    # values
    "Card",
    "Columns",
    "Curve",
    "Figure",
    "Page",
    "Section",
    "Table",
    # pictures
    "MATCHED",
    "NAIVE",
    "correlation_figure",
    "fields_figure",
    "interpolation_figure",
    # tables and text
    "big_integer",
    "coarse_table",
    "completeness_table",
    "factor_table",
    "mean_spread",
    "percent",
    "report_tables",
    "rich_table",
    "shortened",
    "sig",
    "soundness_table",
    "symmetry_tables",
    "uncovered_table",
    # the page
    "render_page",
    # hops
    "HopResult",
    "hop_page",
    "hop_table",
    "orbit_figure",
    "runs_figure",
    "runs_table",
    # studies
    "ClaimGroup",
    "Reported",
    "claim_table",
    "forest_figure",
    "overview_markdown",
    "result_table",
    "study_figure",
    "study_markdown",
    "study_page",
    "write_overview",
    "write_results",
]
