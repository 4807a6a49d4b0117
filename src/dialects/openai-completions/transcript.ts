import type { Turn } from '../canonical.js';
import { hearsAudio, type IsAble, readsFiles, seesImages, structures, Unsupported } from '../kit/unsupported.js';

const USER = 'User:';
const ASSISTANT = 'Assistant:';

/**
 * A conversation as one text that the model goes on with, and what ends its turn. One question alone is the text itself.
 * @throws WeirError invalid_request when it holds more than text.
 */
export function transcriptOf(turns: readonly Turn[]): { prompt: string; stop: string[] } {
  const [only] = turns;
  if (turns.length === 1 && only?.role === 'user') return { prompt: textOf(only), stop: [] };
  const said = turns.map((turn) => `${speakerOf(turn)}${textOf(turn)}`);
  return { prompt: [...said, ASSISTANT].join('\n\n'), stop: [`\n${USER}`] };
}

function speakerOf({ role }: Turn): string {
  switch (role) {
    case 'system':
      return '';
    case 'assistant':
      return `${ASSISTANT} `;
    case 'user':
    case 'tool':
      return `${USER} `;
  }
}

/** Who can read what this model cannot. */
const READERS: Readonly<Record<string, IsAble>> = { image: seesImages, file: readsFiles, audio: hearsAudio };

function textOf({ parts }: Turn): string {
  const texts = parts.map((part) => {
    if (part.type === 'text' || part.type === 'refusal') return part.text;
    if (part.type === 'reasoning') return '';
    throw new Unsupported(
      'messages',
      'This model reads text only. Leave images, files and audio out, or use another model.',
      READERS[part.type] ?? structures,
    );
  });
  return texts.join('');
}
