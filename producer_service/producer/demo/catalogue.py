"""The items of the made-up shop, each with its price range, its variants, and how many are bought at once."""

from dataclasses import dataclass
from typing import Literal

Bought = Literal["single", "few", "many"]


@dataclass(frozen=True)
class Item:
    name: str
    low: int
    high: int
    variants: tuple[str, ...] = ()
    bought: Bought = "single"


SIZES = ("XS", "S", "M", "L", "XL", "XXL")
SHOE_SIZES = tuple(f"EU {size}" for size in range(36, 47))
COLOURS = ("black", "white", "forest green", "navy", "terracotta", "sand", "slate grey", "mustard")

ITEMS = (
    Item("Basic Tee", 12, 35, SIZES, "few"),
    Item("Linen Shirt", 39, 95, SIZES),
    Item("Merino Sweater", 69, 160, SIZES),
    Item("Rain Jacket", 60, 210, SIZES),
    Item("Denim Overalls", 75, 140, SIZES),
    Item("Merino Socks", 9, 22, ("S", "M", "L"), "few"),
    Item("Running Shoes", 55, 180, SHOE_SIZES),
    Item("Hiking Boots", 95, 260, SHOE_SIZES),
    Item("Wool Beanie", 18, 45, COLOURS),
    Item("Canvas Tote", 15, 40, COLOURS, "few"),
    Item("Weekend Backpack", 65, 190, COLOURS),
    Item("Ceramic Mug", 8, 24, COLOURS, "few"),
    Item("Stoneware Plate, 27 cm", 14, 32, COLOURS, "many"),
    Item("Wine Glass", 7, 26, bought="many"),
    Item("Cast-iron Pan, 28 cm", 35, 130),
    Item("Chef's Knife, 20 cm", 45, 180),
    Item("Espresso Beans, 1 kg", 16, 42, ("whole", "ground"), "few"),
    Item("Earl Grey, 250 g", 9, 21, bought="few"),
    Item("Pour-over Kettle", 39, 120, ("matt black", "brushed steel")),
    Item("Olive Oil, 750 ml", 11, 34, bought="few"),
    Item("Dark Chocolate 72 %", 3, 8, bought="many"),
    Item("Desk Lamp", 25, 120, ("black", "brass", "white")),
    Item("Wool Blanket", 45, 160, COLOURS),
    Item("Linen Duvet Cover", 79, 190, ("single", "double", "king")),
    Item("Scented Candle", 14, 48, ("fig", "cedar", "orange blossom"), "few"),
    Item("Terracotta Pot", 6, 38, ("small", "medium", "large"), "few"),
    Item("Monstera, 60 cm", 29, 75),
    Item("Field Notebook", 6, 18, ("dotted", "lined", "plain"), "many"),
    Item("Fountain Pen", 24, 165, ("EF", "F", "M", "B")),
    Item("Jigsaw, 1000 Pieces", 15, 32),
    Item("Board Game: Harbour", 29, 64),
    Item("Mechanical Keyboard", 70, 240, ("ISO-DE", "ISO-UK", "ANSI")),
    Item("Noise-cancelling Headphones", 90, 380, ("black", "silver")),
    Item("USB-C Cable, 2 m", 7, 25, bought="few"),
    Item("Portable SSD, 2 TB", 110, 210),
    Item("E-reader Sleeve", 14, 36, COLOURS),
    Item("Stainless Bottle, 750 ml", 14, 38, COLOURS),
    Item("Yoga Mat", 25, 90, COLOURS),
    Item("Bike Light Set", 19, 85),
    Item("Two-person Tent", 140, 420),
)
NOTES = (
    "Gift wrap, please",
    "Leave with the neighbour",
    "Second floor, the bell is broken",
    "Deliver after 17:00 if you can",
    "It is a birthday present: no price tag",
    "Same as last time",
    "Please put the invoice in the parcel",
    "Happy to wait for a single parcel",
)
