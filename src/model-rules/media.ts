/** The most input tokens that a family of models counts for what is no text, at the dearest detail. */
export interface MediaRule {
  /** Of an image of this many pixels. Never more than `mostImage`. */
  image(width: number, height: number): number;
  /** Of any image, after the provider scaled it down. */
  mostImage: number;
  /** Of one page of a PDF, as image and text. */
  page: number;
  mostPages: number;
  /** Of a second of sound. */
  second: number;
  /** What is at an address may be of any kind, a film too. */
  anyKindByAddress: boolean;
  /** Nothing in a request can be more than fits into the window. Where the model's own is not known. */
  window: number;
}

type ImageRule = Pick<MediaRule, 'image' | 'mostImage'>;

/** What is dearer than that of any model we know. */
export const UNKNOWN_MEDIA: MediaRule = {
  image: (width, height) => Math.min(16_384, Math.max(2_880, Math.ceil(width / 14) * Math.ceil(height / 14))),
  mostImage: 16_384,
  page: 5_650,
  mostPages: 1_000,
  second: 50,
  anyKindByAddress: true,
  window: 1_048_576,
};

/** A square of patches, or as many as the provider scales down to. */
export const patches = (side: number, most: number, factor = 1): ImageRule => ({
  image: (width, height) => Math.ceil(Math.min(Math.ceil(width / side) * Math.ceil(height / side), most) * factor),
  mostImage: Math.ceil(most * factor),
});

/** OpenAI's tiles: fitted into a square of 2,048, then to 768 on the shorter side, then counted by squares of 512. */
export const tiles = (base: number, tile: number): ImageRule => ({
  image(width, height) {
    const fit = Math.min(1, 2048 / Math.max(width, height));
    const shrink = Math.min(1, 768 / (Math.min(width, height) * fit)) * fit;
    return base + tile * Math.ceil((width * shrink) / 512) * Math.ceil((height * shrink) / 512);
  },
  mostImage: base + tile * 8,
});

/** Squares of 28, and in the vendor's older words a token for 750 pixels. */
export const squares = (most: number): ImageRule => ({
  image: (width, height) => Math.min(most, Math.max(Math.ceil(width / 28) * Math.ceil(height / 28), Math.ceil((width * height) / 750))),
  mostImage: most,
});

const GEMINI_TILES = 24;

/** Tiles of 768, or of two thirds of the shorter side; newer models count a fixed amount by resolution. */
export const geminiTiles = (fixed: number): ImageRule => ({
  image(width, height) {
    const unit = Math.min(768, Math.max(256, Math.floor(Math.min(width, height) / 1.5)));
    const cut = (side: number) => Math.ceil(width / side) * Math.ceil(height / side);
    if (width <= 384 && height <= 384) return Math.max(fixed, 258);
    return Math.max(fixed, Math.min(GEMINI_TILES, Math.max(cut(unit), cut(768))) * 258);
  },
  mostImage: GEMINI_TILES * 258,
});

/** A fixed amount for a tile, one more for the whole, up to a number of tiles. */
export const grid = (side: number, tokens: number, most: number): ImageRule => ({
  image: (width, height) => Math.min(most, (Math.ceil(width / side) * Math.ceil(height / side) + 1) * tokens),
  mostImage: most,
});
