//! Compares thumbnails of the sample images with Pillow's.

use crate::image_compare::{decode, psnr};
use crate::support;
use thumbnail_function::thumbnail::{ThumbnailLimits, make};

const LIMITS: ThumbnailLimits = ThumbnailLimits { max_side: 256, memory: 256 << 20 };

#[test]
fn thumbnails_match_pillow() {
    for name in ["bubbles.png", "kites.gif", "lighthouse.jpg", "mountains.jpg", "waves.webp"] {
        let thumbnail = make(&support::sample(name), LIMITS).unwrap();
        let reference = support::crate_path("../../tests/references").join(format!("{name}.png"));
        let (width, height, theirs) = decode("image/png", &std::fs::read(reference).unwrap());
        let ours = decode(thumbnail.content_type, &thumbnail.bytes);
        assert_eq!((ours.0, ours.1), (width, height), "{name}");
        assert_eq!((thumbnail.width, thumbnail.height), (width, height), "{name}");
        let psnr = psnr(&ours.2, &theirs);
        println!("{name}: {width} x {height}, {psnr:.1} dB, {} bytes", thumbnail.bytes.len());
        assert!(psnr >= 28.0, "{name}: {psnr:.1} dB");
    }
}
