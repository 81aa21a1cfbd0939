//! Our thumbnails of the sample images beside those that Pillow makes.

mod common;

use common::compare::{decode, psnr};
use thumbnail_function::thumbnail::{Limits, make};

const LIMITS: Limits = Limits { max_side: 256, memory: 256 << 20 };

#[test]
fn thumbnails_are_as_pillow_makes_them() {
    for name in ["bubbles.png", "kites.gif", "lighthouse.jpg", "mountains.jpg", "waves.webp"] {
        let thumbnail = make(&common::sample(name), LIMITS).unwrap();
        let reference = common::beside("../../tests/references").join(format!("{name}.png"));
        let (width, height, theirs) = decode("image/png", &std::fs::read(reference).unwrap());
        let ours = decode(thumbnail.content_type, &thumbnail.bytes);
        assert_eq!((ours.0, ours.1), (width, height), "{name}");
        assert_eq!((thumbnail.width, thumbnail.height), (width, height), "{name}");
        let psnr = psnr(&ours.2, &theirs);
        println!("{name}: {width} x {height}, {psnr:.1} dB, {} bytes", thumbnail.bytes.len());
        assert!(psnr >= 28.0, "{name}: {psnr:.1} dB");
    }
}
