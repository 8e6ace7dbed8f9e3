"""Write the table of docs/reliability.md anew."""

from tests.hostile.table import PAGE, page

if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
