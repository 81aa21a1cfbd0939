#!/usr/bin/env python3
"""Draws the sample images and makes, with Pillow, the thumbnails that ours are compared with.

    python3 -m venv venv && venv/bin/pip install pillow numpy
    venv/bin/python tests/references/make.py

Everything is computed: the images are ours, and the same each time (made with Pillow 13.0.0).
The references are PNG files, so that they hold exactly what Pillow's `thumbnail` made.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

HERE = Path(__file__).resolve().parent
IMAGES = HERE.parents[1] / "assets" / "images"
SIZE = (256, 256)


def noise(width, height, scale, seed, octaves=5):
    """Smooth noise between 0 and 1: random grids, each finer and fainter than the one before."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width))
    weight, weights = 1.0, 0.0
    for _ in range(octaves):
        cells = (max(2, int(width / scale) + 2), max(2, int(height / scale) + 2))
        grid = Image.fromarray(random.random((cells[1], cells[0])).astype("float32"))
        total += weight * np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC))
        weights += weight
        weight /= 2
        scale = max(2, scale / 2)
    return np.clip(total / weights, 0, 1)


def blend(below, above, mask):
    return below * (1 - mask[..., None]) + above * mask[..., None]


def gradient(width, height, stops):
    """Colours from top to bottom."""
    at = np.linspace(0, 1, height)
    where = [stop[0] for stop in stops]
    column = [np.interp(at, where, [stop[1][channel] for stop in stops]) for channel in range(3)]
    return np.repeat(np.stack(column, axis=-1)[:, None, :], width, axis=1)


def ridge(width, base, height, seed, roughness):
    """The outline of a range of hills."""
    random = np.random.default_rng(seed)
    x = np.linspace(0, 1, width)
    line = np.zeros(width)
    for octave in range(1, 9):
        amplitude = height / octave**roughness
        line += amplitude * np.sin(2 * np.pi * (octave * 0.8 * x + random.random()))
    return base + line


def mountains(width=1600, height=1067):
    """Evening over mountains and a lake: the photo-like one."""
    sky = gradient(
        width,
        height,
        [(0, (38, 60, 120)), (0.3, (120, 110, 170)), (0.5, (245, 160, 120)), (0.62, (255, 214, 150)), (1, (255, 225, 170))],
    )
    yy, xx = np.mgrid[0:height, 0:width]
    sun = np.hypot(xx - width * 0.64, yy - height * 0.5)
    sky = blend(sky, np.array([255.0, 240, 200]), np.exp(-((sun / 150) ** 2)) * 0.9)
    sky = blend(sky, np.array([255.0, 250, 235]), np.clip((46 - sun) / 3, 0, 1))
    clouds = noise(width, height, 420, 3)
    clouds = np.clip((clouds - 0.5) * 3.5, 0, 1) * np.clip(1 - yy / (height * 0.5), 0, 1)
    picture = blend(sky, np.array([250.0, 205, 200]), clouds * 0.55)

    texture = noise(width, height, 60, 11, octaves=6)
    layers = [
        (0.50, 46, 21, (150, 128, 165)),
        (0.56, 58, 5, (110, 98, 140)),
        (0.62, 50, 8, (74, 74, 112)),
        (0.69, 36, 13, (46, 54, 80)),
    ]
    for base, rise, seed, colour in layers:
        line = ridge(width, base * height, rise, seed, 1.15)
        mask = np.clip((yy - line[None, :]) / 1.5, 0, 1)
        shade = 0.82 + 0.36 * texture
        picture = blend(picture, np.array(colour)[None, None, :] * shade[..., None], mask)

    shore = int(height * 0.745)
    mirror = picture[shore - (height - shore) : shore][::-1]
    ripples = (noise(width, height, 26, 17, octaves=4)[shore:] - 0.5) * 26
    shifted = np.clip(np.arange(width)[None, :] + ripples.astype(int), 0, width - 1)
    mirror = np.take_along_axis(mirror, np.repeat(shifted[..., None], 3, axis=2), axis=1)
    picture[shore:] = mirror * 0.72 + np.array([22.0, 34, 58]) * 0.28

    reeds = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(reeds)
    random = np.random.default_rng(23)
    for _ in range(260):
        x = random.normal(width * 0.12, width * 0.09)
        length = random.uniform(60, 230)
        lean = random.uniform(-30, 40)
        draw.line([(x, height), (x + lean * 0.3, height - length * 0.6), (x + lean, height - length)], fill=255, width=random.integers(2, 5))
    mask = np.asarray(reeds.filter(ImageFilter.GaussianBlur(0.8))) / 255.0
    picture = blend(picture, np.array([18.0, 22, 30]), mask)

    grain = np.random.default_rng(29).normal(0, 2.2, (height, width, 1))
    return Image.fromarray(np.clip(picture + grain, 0, 255).astype("uint8"))


def lighthouse(width=800, height=1200):
    """A tower by the sea, upright: it shows at once whether a photo lies on its side."""
    picture = gradient(width, height, [(0, (92, 160, 220)), (0.6, (205, 230, 245)), (1, (225, 240, 250))])
    clouds = np.clip((noise(width, height, 260, 41) - 0.52) * 4, 0, 1)
    yy, xx = np.mgrid[0:height, 0:width]
    picture = blend(picture, np.array([255.0, 255, 255]), clouds * np.clip(1.2 - yy / (height * 0.6), 0, 1) * 0.8)
    sea = gradient(width, height, [(0, (40, 120, 160)), (0.7, (52, 130, 165)), (1, (18, 66, 104))])
    sea += ((noise(width, height, 30, 43) - 0.5) * 46)[..., None]
    picture = blend(picture, sea, np.clip(yy - height * 0.7, 0, 1))
    rock = ridge(width, height * 0.83, 26, 7, 1.0) + np.abs(xx[0] - width * 0.42) * 0.22
    stone = np.array([92.0, 84, 78])[None, None, :] * (0.7 + 0.6 * noise(width, height, 40, 47, 6))[..., None]
    picture = blend(picture, stone, np.clip((yy - rock[None, :]) / 1.5, 0, 1))

    scale = 3
    tower = Image.new("RGBA", (width * scale, height * scale), (0, 0, 0, 0))
    draw = ImageDraw.Draw(tower)
    centre, top, foot = width * 0.42 * scale, height * 0.24 * scale, height * 0.85 * scale
    for band in range(7):
        upper, lower = (top + (foot - top) * (band + part) / 7 for part in (0, 1))
        half = [42 * scale + 40 * scale * (y - top) / (foot - top) for y in (upper, lower)]
        colour = (200, 48, 48, 255) if band % 2 == 0 else (245, 243, 236, 255)
        draw.polygon([(centre - half[0], upper), (centre + half[0], upper), (centre + half[1], lower), (centre - half[1], lower)], fill=colour)
    box = lambda half, y0, y1: [centre - half * scale, y0 * scale, centre + half * scale, y1 * scale]
    edge = top / scale
    draw.rectangle(box(58, edge - 14, edge), fill=(60, 62, 70, 255))
    draw.rectangle(box(32, edge - 74, edge - 14), fill=(255, 226, 140, 255))
    for x in (-32, -11, 11, 32):
        draw.rectangle([centre + (x - 2) * scale, (edge - 74) * scale, centre + (x + 2) * scale, (edge - 14) * scale], fill=(60, 62, 70, 255))
    draw.polygon([(centre - 44 * scale, (edge - 74) * scale), (centre, (edge - 126) * scale), (centre + 44 * scale, (edge - 74) * scale)], fill=(168, 38, 40, 255))
    tower = np.asarray(tower.resize((width, height), Image.Resampling.LANCZOS)).astype(float)
    light = 1.08 - 0.34 * np.clip((xx - width * 0.34) / 140, 0, 1)
    picture = blend(picture, tower[..., :3] * light[..., None], tower[..., 3] / 255)
    return Image.fromarray(np.clip(picture, 0, 255).astype("uint8"))


def bubbles(width=640, height=480):
    """Glass balls on nothing: for transparency."""
    yy, xx = np.mgrid[0:height, 0:width].astype(float)
    colour = np.zeros((height, width, 3))
    alpha = np.zeros((height, width))
    for x, y, radius, tint in [
        (210, 250, 165, (64, 140, 230)),
        (430, 200, 130, (235, 90, 120)),
        (395, 360, 95, (90, 200, 130)),
        (545, 345, 70, (245, 190, 70)),
        (80, 90, 55, (170, 110, 220)),
    ]:
        away = np.hypot(xx - x, yy - y) / radius
        inside = np.clip((1 - away) * radius, 0, 1)
        cover = inside * (0.35 + 0.6 * np.clip(away, 0, 1) ** 3)
        shine = np.exp(-(((xx - x + radius * 0.35) / (radius * 0.22)) ** 2 + ((yy - y + radius * 0.4) / (radius * 0.16)) ** 2))
        ball = np.array(tint)[None, None, :] * (1 - 0.25 * away.clip(0, 1))[..., None]
        ball = ball * (1 - shine[..., None]) + 255 * shine[..., None]
        cover = np.clip(cover + shine * inside * 0.6, 0, 1)
        out = cover + alpha * (1 - cover)
        mixed = ball * cover[..., None] + colour * (alpha * (1 - cover))[..., None]
        colour = np.where(out[..., None] > 0, mixed / np.maximum(out, 1e-6)[..., None], 0)
        alpha = out
    return Image.fromarray(np.dstack([colour, alpha * 255]).clip(0, 255).astype("uint8"), "RGBA")


def kites(width=480, height=360):
    """Flat shapes in few colours, moving: three frames of an animation."""
    frames = []
    for step in range(3):
        scale = 4
        frame = Image.new("RGB", (width * scale, height * scale), (196, 226, 244))
        draw = ImageDraw.Draw(frame)
        draw.ellipse([340 * scale, 30 * scale, 430 * scale, 120 * scale], fill=(255, 214, 92))
        draw.ellipse([-120 * scale, 250 * scale, 330 * scale, 520 * scale], fill=(122, 184, 108))
        draw.ellipse([180 * scale, 275 * scale, 640 * scale, 560 * scale], fill=(88, 156, 92))
        for x, y, size, one, two in [(120, 110, 62, (226, 74, 66), (250, 240, 226)), (255, 160, 46, (64, 96, 176), (246, 180, 60))]:
            x, y = x + step * 22, y - step * 12
            points = [(x, y - size), (x + size * 0.66, y), (x, y + size * 1.25), (x - size * 0.66, y)]
            points = [(px * scale, py * scale) for px, py in points]
            draw.polygon(points, fill=one)
            draw.polygon([points[0], points[1], (x * scale, y * scale)], fill=two)
            draw.polygon([points[2], points[3], (x * scale, y * scale)], fill=two)
            tail = [((x + 12 * np.sin(t / 9 + step)) * scale, (y + size * 1.25 + t) * scale) for t in range(90)]
            draw.line(tail, fill=(90, 90, 100), width=2 * scale)
        frames.append(frame.resize((width, height), Image.Resampling.LANCZOS).quantize(64, dither=Image.Dither.NONE))
    return frames


def waves(width=720, height=540):
    """Folded light: soft gradients in every direction."""
    yy, xx = np.mgrid[0:height, 0:width] / 180.0
    bend = noise(width, height, 300, 53) * 5
    channels = [0.5 + 0.5 * np.sin(xx * a + yy * b + bend + shift) for a, b, shift in [(1.1, 0.7, 0.0), (0.8, -1.2, 2.1), (-0.6, 1.3, 4.2)]]
    return Image.fromarray((np.stack(channels, axis=-1) * 215 + 30).astype("uint8"))


def draw_images():
    IMAGES.mkdir(parents=True, exist_ok=True)
    mountains().save(IMAGES / "mountains.jpg", quality=82, optimize=True)

    # Stored lying on its side, with the note that says how to turn it.
    sideways = lighthouse().transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways.save(IMAGES / "lighthouse.jpg", quality=82, optimize=True, exif=exif)

    bubbles().save(IMAGES / "bubbles.png", optimize=True)
    first, *others = kites()
    first.save(IMAGES / "kites.gif", save_all=True, append_images=others, duration=400, loop=0, optimize=True)
    waves().save(IMAGES / "waves.webp", quality=80, method=6)


def make_references():
    for path in sorted(IMAGES.iterdir()):
        image = Image.open(path)
        image.seek(0)
        image = ImageOps.exif_transpose(image)
        if image.mode == "P":
            # Pillow picks single pixels out of an image with a palette instead of mixing them, which looks
            # ragged: full colours are what is compared.
            image = image.convert("RGBA")
        image.thumbnail(SIZE)
        image.save(HERE / f"{path.name}.png", optimize=True)
        print(f"{path.name}: {path.stat().st_size} bytes, thumbnail {image.width} x {image.height}")


if __name__ == "__main__":
    draw_images()
    make_references()
