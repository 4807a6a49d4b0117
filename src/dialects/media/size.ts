import { type MediaRule, rulesOf } from '../../model-rules/index.js';
import type { JsonObject } from '../kit/json.js';
import { imageSize } from './image-size.js';
import { type Media, mediaIn } from './parts.js';
import { pdfPages } from './pdf-pages.js';
import { soundSeconds } from './sound.js';

/** Media that are looked at in a row, well below a millisecond of work. */
const AT_ONCE = 64;

/** How much of a request is no text. */
export interface MediaSize {
  /** Of base64 in the request, which is counted as what it stands for. */
  bytes: number;
  /** The most input tokens it is billed as. */
  tokens: number;
  /** There is sound or film in it, which some models bill at rates of their own. */
  heard: boolean;
}

/**
 * The most tokens that images, documents, sounds and films of a request are billed as, by the rule of the model's family. Gives way now and then
 * where documents are large: whoever drives it decides what comes between.
 * @param model by whose rules.
 * @param window of the model's context; null: not known.
 */
export function* mediaSize(body: JsonObject, model: string, window: number | null): Generator<void, MediaSize> {
  const rule = rulesOf(model).media;
  const most = Math.max(window ?? 0, rule.window);
  const size: MediaSize = { bytes: 0, tokens: 0, heard: false };
  let count = 0;
  for (const media of mediaIn(body)) {
    if (++count % AT_ONCE === 0) yield;
    size.bytes += media.data?.length ?? 0;
    size.tokens += Math.min(most, yield* tokensOf(media, rule, most));
    size.heard ||= media.kind === 'audio' || media.kind === 'video' || (media.data === null && rule.anyKindByAddress);
  }
  return { ...size, tokens: Math.min(size.tokens, most) };
}

function* tokensOf({ kind, data }: Media, rule: MediaRule, window: number): Generator<void, number> {
  if (data === null) {
    if (kind === 'image' && !rule.anyKindByAddress) return rule.mostImage;
    if (kind === 'document' && !rule.anyKindByAddress) return rule.page * rule.mostPages;
    return kind === 'unknown' ? rule.mostImage : window;
  }
  switch (kind) {
    case 'image': {
      const size = imageSize(data);
      return size ? Math.min(rule.mostImage, rule.image(size.width, size.height)) : rule.mostImage;
    }
    case 'document': {
      const pages = yield* pdfPages(Buffer.from(data, 'base64'));
      return rule.page * Math.min(pages ?? rule.mostPages, rule.mostPages);
    }
    case 'audio': {
      const seconds = soundSeconds(data);
      return seconds === null ? window : Math.ceil(seconds * rule.second);
    }
    default:
      return window;
  }
}
