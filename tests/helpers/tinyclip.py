"""A tiny CLIP that is made here, of random weights, and taught what four colours are called in two languages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

COLOURS = {"red": (210, 40, 40), "green": (40, 170, 60), "blue": (50, 70, 210), "yellow": (230, 210, 60)}
CHINESE = {"red": "红色的", "green": "绿色的", "blue": "蓝色的", "yellow": "黄色的"}


def tiny_clip(folder: Path) -> Path:
    """A CLIP of two layers of 32 numbers, whose tokens are bytes, in the files of the hub's CLIP models."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPProcessor, CLIPTokenizer

    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    n = len(tokens)
    torch.manual_seed(0)
    layers = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    words = {"vocab_size": n, "bos_token_id": n - 2, "eos_token_id": n - 1, "pad_token_id": n - 1}
    model = CLIPModel(
        CLIPConfig(
            text_config={**layers, **words},
            vision_config={**layers, "image_size": 32, "patch_size": 8},
            projection_dim=16,
        )
    )
    tokenizer = CLIPTokenizer(vocab={token: i for i, token in enumerate(tokens)}, merges=[], model_max_length=77)
    sizes = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    processor = CLIPProcessor(image_processor=CLIPImageProcessorPil(**sizes), tokenizer=tokenizer)
    _teach(model, processor)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _teach(model: torch.nn.Module, processor: object) -> None:
    """What the colours are called in both languages, as CLIP is taught: each picture by its own words."""
    threads, draw = torch.get_num_threads(), np.random.default_rng(0)
    torch.set_num_threads(1)  # the matrices are so small that threads would wait for each other
    learner = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(60):
        texts = [name if step % 2 else CHINESE[name] for name in COLOURS]
        pictures = [picture(colour, draw) for colour in COLOURS.values()]
        given = processor(text=texts, images=pictures, return_tensors="pt", padding=True)  # type: ignore[operator]
        loss = model(**given, return_loss=True).loss
        learner.zero_grad()
        loss.backward()
        learner.step()
    torch.set_num_threads(threads)


def picture(colour: tuple[int, int, int], draw: np.random.Generator) -> Image.Image:
    """A plane of about one colour."""
    size = draw.integers(40, 90, 2)
    pixels = np.array(colour) + draw.normal(0, 12, (*size, 3)) + draw.normal(0, 10, 3)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
