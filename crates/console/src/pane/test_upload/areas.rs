//! The areas of the test upload panel, for drawing, the mouse and picture sizes.

use ratatui::layout::Rect;

/// The minimum width of a gallery card.
const CARD_WIDTH: u16 = 27;

/// The minimum height of a gallery card.
const CARD_HEIGHT: u16 = 6;

/// The minimum width of a card with both pictures.
const BOTH_WIDTH: u16 = 34;

/// The gap between columns.
const GAP: u16 = 2;

/// Rows of an area, from a row on, within bounds.
fn rows(area: Rect, from: u16, count: u16) -> Rect {
    let from = from.min(area.height);
    Rect { y: area.y.saturating_add(from), height: count.min(area.height - from), ..area }
}

/// Columns of an area, from a column on, within bounds.
fn columns(area: Rect, from: u16, count: u16) -> Rect {
    let from = from.min(area.width);
    Rect { x: area.x.saturating_add(from), width: count.min(area.width - from), ..area }
}

/// The areas of the chooser: list and preview.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChooserAreas {
    /// One line: title or path input.
    pub head: Rect,
    /// The list.
    pub list: Rect,
    /// Two lines: name and size of the image.
    pub caption: Option<Rect>,
    /// The image.
    pub picture: Option<Rect>,
    /// One line: the upload key, or why it is unavailable.
    pub foot: Rect,
}

impl ChooserAreas {
    /// The areas inside the panel.
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

/// The first visible row of a list, so that the cursor is visible.
pub fn first_row(rows: usize, cursor: usize, height: usize) -> usize {
    if rows <= height || height == 0 {
        return 0;
    }
    let most = rows - height;
    // The cursor stays in the middle and the list scrolls.
    cursor.saturating_sub(height / 2).min(most)
}

/// The areas of a single image: both pictures and stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SingleAreas {
    /// One line: title.
    pub title: Rect,
    /// Two lines above the image.
    pub source_caption: Rect,
    /// The image.
    pub source: Rect,
    /// One cell between the pictures.
    pub between: Rect,
    /// Two lines above the thumbnail.
    pub thumbnail_caption: Rect,
    /// The thumbnail, or the reason for its absence.
    pub thumbnail: Rect,
    /// Three lines.
    pub stages: Rect,
    /// The failure, in place of the thumbnail.
    pub failure: Rect,
}

impl SingleAreas {
    /// The rows of the stages.
    const STAGES: u16 = 3;

    /// The areas inside the panel.
    pub fn of(inside: Rect) -> Self {
        let gap = u16::from(inside.height >= 14);
        let first = 1 + gap;
        let height = inside.height.saturating_sub(first + gap + Self::STAGES);
        let half = inside.width.saturating_sub(3) / 2;
        // At most a square, so that the stages are directly below the pictures.
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

/// The areas of the gallery: cards in rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GalleryAreas {
    /// One line: title.
    pub title: Rect,
    /// The area of the cards.
    pub body: Rect,
    /// The number of columns.
    pub columns: usize,
    /// The number of visible rows.
    pub rows: usize,
    /// The number of cards.
    pub count: usize,
    card: (u16, u16),
}

impl GalleryAreas {
    /// The areas inside the panel for a number of cards.
    pub fn of(inside: Rect, count: usize) -> Self {
        let title = rows(inside, 0, 1);
        let body = rows(inside, 1, inside.height);
        let fit = ((body.width + GAP) / (CARD_WIDTH + GAP)).max(1);
        let most = u16::try_from(count.max(1)).unwrap_or(u16::MAX).min(fit);
        let grid = |columns: u16| Self::grid(title, body, columns, count);
        // The number of columns with the largest total picture area.
        (2..=most).map(grid).fold(grid(1), |best, next| if next.value() >= best.value() { next } else { best })
    }

    /// The gallery with a number of columns.
    fn grid(title: Rect, body: Rect, across: u16, count: usize) -> Self {
        let columns = usize::from(across);
        let needed = u16::try_from(count.div_ceil(columns).max(1)).unwrap_or(u16::MAX);
        let in_sight = needed.min(body.height / CARD_HEIGHT).max(1);
        let width = ((body.width + GAP) / across).saturating_sub(GAP);
        // At most a square picture.
        let height = (body.height / in_sight).min(3 + CardAreas::picture_width(width).div_ceil(2)).max(1);
        let rows = usize::from((body.height / height).max(1));
        Self { title, body, columns, rows, count, card: (width, height) }
    }

    /// The total area of visible pictures with the usual aspect ratio.
    fn value(self) -> u64 {
        let (width, height) = self.card;
        let picture = u64::from(CardAreas::picture_width(width)).min(u64::from(height.saturating_sub(3)) * 8 / 3);
        let pictures = if width < BOTH_WIDTH { 1 } else { 2 };
        (self.rows * self.columns).min(self.count) as u64 * pictures * picture * picture
    }

    /// The visible cards for a selection: indices and areas.
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

    /// The card at a position.
    pub fn card_at(self, selected: usize, column: u16, row: u16) -> Option<usize> {
        self.cards(selected).find(|(_, area)| area.contains((column, row).into())).map(|(index, _)| index)
    }

    /// The visible range of cards, from 1; none if all are visible.
    pub fn part(self, selected: usize) -> Option<(usize, usize)> {
        let first = self.first(selected);
        let last = (first + self.rows * self.columns).min(self.count);
        (first > 0 || last < self.count).then_some((first + 1, last))
    }

    /// The first visible card, by whole pages.
    fn first(self, selected: usize) -> usize {
        let page = self.rows * self.columns;
        selected / page * page
    }
}

/// The areas of a gallery card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardAreas {
    /// One line: name.
    pub name: Rect,
    /// The image, if it fits.
    pub source: Option<Rect>,
    /// The thumbnail; in place of the image if both do not fit.
    pub thumbnail: Option<Rect>,
    /// One line: status.
    pub status: Rect,
}

impl CardAreas {
    /// The width of a picture in a card of a width.
    fn picture_width(card: u16) -> u16 {
        if card < BOTH_WIDTH { card } else { (card - GAP) / 2 }
    }

    /// The areas of a card.
    pub fn of(card: Rect) -> Self {
        // The last row is blank, to separate cards.
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
    fn cursor_is_visible() {
        for (rows, height) in [(3, 10), (10, 3), (50, 7), (1, 1), (5, 0)] {
            for cursor in 0..rows {
                let first = first_row(rows, cursor, height);
                assert!(first <= cursor && (height == 0 || cursor < first + height), "{rows} {height} {cursor}");
            }
        }
    }

    #[test]
    fn five_cards_are_visible_on_usual_screen() {
        let gallery = GalleryAreas::of(Rect::new(0, 0, 74, 30), 5);
        assert_eq!(gallery.cards(0).count(), 5);
        let narrow = GalleryAreas::of(Rect::new(0, 0, 58, 13), 5);
        assert_eq!((narrow.columns, narrow.rows), (2, 2));
        assert_eq!(narrow.cards(4).map(|(index, _)| index).collect::<Vec<_>>(), [4]);
    }

    proptest! {
        #[test]
        fn areas_are_within_panel(
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
