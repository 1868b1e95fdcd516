"""Words with their boxes in; lines in reading order, and the page's text with its headings and places, out."""
