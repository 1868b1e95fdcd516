"""Pictures of the space: points laid out on a plane as a page or a picture, and a matrix of cosines.

In: points with their topics. Out: a `Map`, one HTML file, a PNG.
"""

from rag.space.maps.heatmap import write_heatmap
from rag.space.maps.layout import lay_out, place, trustworthiness
from rag.space.maps.map import Map, MapQuestion, MapTopic, draw_map, with_question
from rag.space.maps.page import read_places, write_page
from rag.space.maps.picture import write_picture

__all__ = [
    "Map",
    "MapQuestion",
    "MapTopic",
    "draw_map",
    "lay_out",
    "place",
    "read_places",
    "trustworthiness",
    "with_question",
    "write_heatmap",
    "write_page",
    "write_picture",
]
