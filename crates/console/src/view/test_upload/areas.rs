//! Where things are in the trial panel. Pure; the same for drawing, for the mouse, and for how large pictures are made.

use ratatui::layout::Rect;

/// The least width of a card in the gallery.
const CARD_WIDTH: u16 = 27;

/// The least height of a card in the gallery.
const CARD_HEIGHT: u16 = 6;

/// From this width on, a card has both pictures.
const BOTH_WIDTH: u16 = 34;

/// Between what stands side by side.
const GAP: u16 = 2;

/// So many rows of an area, from a row on; less where there are not so many.
fn rows(area: Rect, from: u16, count: u16) -> Rect {
    let from = from.min(area.height);
    Rect { y: area.y.saturating_add(from), height: count.min(area.height - from), ..area }
}

/// So many columns of an area, from a column on; less where there are not so many.
fn columns(area: Rect, from: u16, count: u16) -> Rect {
    let from = from.min(area.width);
    Rect { x: area.x.saturating_add(from), width: count.min(area.width - from), ..area }
}

/// Choosing images: the list, and beside it the image under the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChooserAreas {
    /// A line: what is to be done, or the path that is typed.
    pub head: Rect,
    /// The list.
    pub list: Rect,
    /// Two lines: what the image is.
    pub caption: Option<Rect>,
    /// The image.
    pub picture: Option<Rect>,
    /// A line: what the key does that sends.
    pub foot: Rect,
}

impl ChooserAreas {
    /// Where everything is in the panel's inside.
    pub fn of(inside: Rect) -> Self {
        let body = rows(inside, 1, inside.height.saturating_sub(2));
        let head = rows(inside, 0, 1);
        let foot = rows(inside, inside.height.saturating_sub(1), 1);
        if inside.width < 44 || body.height < 5 {
            return Self { head, list: body, caption: None, picture: None, foot };
        }
        let share = (inside.width * 9 / 20).clamp(26, 56);
        let beside = columns(body, share + GAP, body.width);
        Self {
            head,
            list: columns(body, 0, share),
            caption: Some(rows(beside, 0, 2)),
            picture: Some(rows(beside, 2, beside.height)),
            foot,
        }
    }
}

/// The row of a list that is drawn first, so that the cursor is in sight with a row of context.
pub fn first_row(rows: usize, cursor: usize, height: usize) -> usize {
    if rows <= height || height == 0 {
        return 0;
    }
    let most = rows - height;
    // The cursor goes to the middle and stays there: the list moves under it.
    cursor.saturating_sub(height / 2).min(most)
}

/// One image: both pictures, and its stages below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SingleAreas {
    /// A line: which trial, and how it went.
    pub title: Rect,
    /// Two lines above the image.
    pub source_caption: Rect,
    /// The image.
    pub source: Rect,
    /// One cell between both.
    pub between: Rect,
    /// Two lines above the thumbnail.
    pub thumbnail_caption: Rect,
    /// The thumbnail, or why there is none.
    pub thumbnail: Rect,
    /// Three lines.
    pub stages: Rect,
    /// Where the failure stands, if it failed: in the place of all that belongs to the thumbnail.
    pub failure: Rect,
}

impl SingleAreas {
    /// How many rows the stages take.
    const STAGES: u16 = 3;

    /// Where everything is in the panel's inside.
    pub fn of(inside: Rect) -> Self {
        let gap = u16::from(inside.height >= 14);
        let first = 1 + gap;
        let height = inside.height.saturating_sub(first + gap + Self::STAGES);
        let half = inside.width.saturating_sub(3) / 2;
        // No higher than a square needs: so the stages stand below the pictures, and not at the other end of the panel.
        let height = height.min(2 + half.div_ceil(2));
        let both = rows(inside, first, height);
        let (left, right) = (columns(both, 0, half), columns(both, half + 3, half));
        let source = rows(left, 2, left.height);
        let below = rows(inside, first, inside.height);
        Self {
            failure: columns(below, half + 3, half),
            title: rows(inside, 0, 1),
            source_caption: rows(left, 0, 2),
            between: columns(rows(both, 0, 1), half + 1, 1),
            thumbnail_caption: rows(right, 0, 2),
            thumbnail: rows(right, 2, right.height),
            stages: rows(inside, first + height + gap, Self::STAGES),
            source,
        }
    }
}

/// Several images: cards in rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GalleryAreas {
    /// A line: which trial, and how it went.
    pub title: Rect,
    /// The cards' room.
    pub body: Rect,
    /// How many cards stand side by side.
    pub columns: usize,
    /// How many rows of cards are in sight.
    pub rows: usize,
    /// How many cards there are.
    pub count: usize,
    card: (u16, u16),
}

impl GalleryAreas {
    /// Where everything is in the panel's inside, for so many cards.
    pub fn of(inside: Rect, count: usize) -> Self {
        let title = rows(inside, 0, 1);
        let body = rows(inside, 1, inside.height);
        let fit = ((body.width + GAP) / (CARD_WIDTH + GAP)).max(1);
        let most = u16::try_from(count.max(1)).unwrap_or(u16::MAX).min(fit);
        let grid = |columns: u16| Self::grid(title, body, columns, count);
        // As many columns as make the pictures that are in sight largest, all together.
        (2..=most).map(grid).fold(grid(1), |best, next| if next.value() >= best.value() { next } else { best })
    }

    /// The gallery with so many columns.
    fn grid(title: Rect, body: Rect, across: u16, count: usize) -> Self {
        let columns = usize::from(across);
        let needed = u16::try_from(count.div_ceil(columns).max(1)).unwrap_or(u16::MAX);
        let in_sight = needed.min(body.height / CARD_HEIGHT).max(1);
        let width = ((body.width + GAP) / across).saturating_sub(GAP);
        // No higher than a square picture needs.
        let height = (body.height / in_sight).min(3 + CardAreas::picture_width(width).div_ceil(2)).max(1);
        let rows = usize::from((body.height / height).max(1));
        Self { title, body, columns, rows, count, card: (width, height) }
    }

    /// How much of the screen pictures of the usual shape take.
    fn value(self) -> u64 {
        let (width, height) = self.card;
        let picture = u64::from(CardAreas::picture_width(width)).min(u64::from(height.saturating_sub(3)) * 8 / 3);
        let pictures = if width < BOTH_WIDTH { 1 } else { 2 };
        (self.rows * self.columns).min(self.count) as u64 * pictures * picture * picture
    }

    /// The cards that are in sight when one is selected: their numbers and places.
    pub fn cards(self, selected: usize) -> impl Iterator<Item = (usize, Rect)> {
        let first = self.first(selected);
        let last = (first + self.rows * self.columns).min(self.count);
        let (width, height) = self.card;
        (first..last).map(move |index| {
            let place = index - first;
            let across = u16::try_from(place % self.columns).unwrap_or(u16::MAX);
            let down = u16::try_from(place / self.columns).unwrap_or(u16::MAX);
            let row = rows(self.body, down.saturating_mul(height), height);
            (index, columns(row, across.saturating_mul(width + GAP), width))
        })
    }

    /// The card at a place.
    pub fn card_at(self, selected: usize, column: u16, row: u16) -> Option<usize> {
        self.cards(selected).find(|(_, area)| area.contains((column, row).into())).map(|(index, _)| index)
    }

    /// Which cards are in sight, where not all are: the numbers of the first and the last, from 1.
    pub fn part(self, selected: usize) -> Option<(usize, usize)> {
        let first = self.first(selected);
        let last = (first + self.rows * self.columns).min(self.count);
        (first > 0 || last < self.count).then_some((first + 1, last))
    }

    /// The first card in sight: whole pages, so that nothing moves while the selection moves on one.
    fn first(self, selected: usize) -> usize {
        let page = self.rows * self.columns;
        selected / page * page
    }
}

/// One card of the gallery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardAreas {
    /// A line: its name.
    pub name: Rect,
    /// The image, where there is room.
    pub source: Option<Rect>,
    /// The thumbnail: in the image's place where there is not room for both.
    pub thumbnail: Option<Rect>,
    /// A line: how it went.
    pub status: Rect,
}

impl CardAreas {
    /// How many columns a picture has in a card of so many.
    fn picture_width(card: u16) -> u16 {
        if card < BOTH_WIDTH { card } else { (card - GAP) / 2 }
    }

    /// Where everything is in a card.
    pub fn of(card: Rect) -> Self {
        // The last row is left free, so that cards stand apart.
        let pictures = rows(card, 1, card.height.saturating_sub(3));
        let status = rows(card, card.height.saturating_sub(2), 1);
        let name = rows(card, 0, u16::from(card.height > 2));
        if pictures.height < 2 {
            return Self { name, source: None, thumbnail: None, status };
        }
        if card.width < BOTH_WIDTH {
            return Self { name, source: Some(pictures), thumbnail: Some(pictures), status };
        }
        let half = Self::picture_width(card.width);
        Self {
            name,
            source: Some(columns(pictures, 0, half)),
            thumbnail: Some(columns(pictures, half + GAP, half)),
            status,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_cursor_is_always_in_sight() {
        for (rows, height) in [(3, 10), (10, 3), (50, 7), (1, 1), (5, 0)] {
            for cursor in 0..rows {
                let first = first_row(rows, cursor, height);
                assert!(first <= cursor && (height == 0 || cursor < first + height), "{rows} {height} {cursor}");
            }
        }
    }

    #[test]
    fn five_cards_are_all_in_sight_on_a_usual_screen() {
        let gallery = GalleryAreas::of(Rect::new(0, 0, 74, 30), 5);
        assert_eq!(gallery.cards(0).count(), 5);
        let narrow = GalleryAreas::of(Rect::new(0, 0, 58, 13), 5);
        assert_eq!((narrow.columns, narrow.rows), (2, 2));
        assert_eq!(narrow.cards(4).map(|(index, _)| index).collect::<Vec<_>>(), [4]);
    }

    proptest! {
        #[test]
        fn everything_lies_within(
            x in 0_u16..50, y in 0_u16..50, width in 0_u16..250, height in 0_u16..90, count in 0_usize..40, at in 0_usize..40
        ) {
            let inside = Rect::new(x, y, width, height);
            let within = |area: Rect| area.intersection(inside) == area || area.is_empty();
            let choosing = ChooserAreas::of(inside);
            let parts = [Some(choosing.head), Some(choosing.list), choosing.caption, choosing.picture, Some(choosing.foot)];
            prop_assert!(parts.into_iter().flatten().all(within));
            let one = SingleAreas::of(inside);
            for part in [one.title, one.source_caption, one.source, one.between, one.thumbnail_caption, one.thumbnail, one.stages, one.failure] {
                prop_assert!(within(part), "{part:?}");
            }
            let selected = at.min(count.saturating_sub(1));
            let gallery = GalleryAreas::of(inside, count);
            let cards: Vec<_> = gallery.cards(selected).collect();
            prop_assert!(count == 0 || cards.iter().any(|(index, _)| *index == selected));
            for (_, card) in cards {
                prop_assert!(within(card), "{card:?}");
                let small = CardAreas::of(card);
                for part in [Some(small.name), small.source, small.thumbnail, Some(small.status)].into_iter().flatten() {
                    prop_assert!(within(part), "{part:?}");
                }
            }
        }
    }
}
