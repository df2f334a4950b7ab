"""Numbers to pages: the table that every run prints, the report and the model card."""

from ._bench import print_times as print_times
from ._cuts import print_cuts as print_cuts
from ._drift import check_picture as check_picture
from ._drift import draw_drift as draw_drift
from ._drift import judge_check as judge_check
from ._drift import print_drift as print_drift
from ._frame import to_frame as to_frame
from ._gain import describe_gain as describe_gain
from ._gain import describe_gains as describe_gains
from ._html import html as html
from ._model_card import model_card as model_card
from ._route_plot import draw_routes as draw_routes
from ._routes import routes as routes
from ._sweep import print_sweep as print_sweep
from ._table import LOSSES as LOSSES
from ._table import describe_promise as describe_promise
from ._table import draw_html_table as draw_html_table
from ._table import draw_table as draw_table
from ._table import print_table as print_table
from ._test_loss import describe_test as describe_test
from ._test_loss import explain_test as explain_test
from ._verdict import verdict as verdict
from ._verdict import with_verdict as with_verdict
