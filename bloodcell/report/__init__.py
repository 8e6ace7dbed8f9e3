"""The report of a grid run: table, pictures, reflections and provenance, as Markdown, one HTML file and CSV."""
