import { isObject } from './json.js';

/** Fields that name what lies with the provider or elsewhere, and is read as input. */
const REFERENCES =
  /^(?:previous_response_id|previous_message_id|conversation|prompt|file_ids?|vector_store_ids|container(?:_id)?|mcp_servers|cached_?content|cachedContent)$/;
const ADDRESSES = /^(?:(?:(?:image|video|audio|document|pdf|file|server)_)?url|file_?uri|fileUri|uri|s3Location)$/;
/** Tools that the provider runs itself, and whose results it reads. */
const OWN_TOOLS = /^(?:web_search|web_fetch|file_search|code_|mcp|google_search|url_context|image_generation|computer|item_reference)/;
const ELSEWHERE = /^[a-z][a-z0-9+.-]*:/i;
/** A request with more values is taken to have some. */
const MAX_VALUES = 100_000;

/** Whether a request refers to input that it does not carry: stored context, files and images by address, results of the provider's own tools. */
export function hasUnseenInput(body: Readonly<Record<string, unknown>>): boolean {
  // A legacy completion has its text there.
  const { prompt, ...rest } = body;
  const open: [string, unknown][] = [['', isObject(prompt) ? { ...rest, prompt } : rest]];
  for (let seen = 0; open.length > 0; seen++) {
    const [name, value] = open.pop()!;
    if (seen + open.length > MAX_VALUES || refers(name, value)) return true;
    if (Array.isArray(value)) {
      if (value.length > MAX_VALUES) return true;
      for (const one of value) open.push([name, one]);
    } else if (isObject(value)) {
      for (const key in value) {
        open.push([key, value[key]]);
        if (open.length > MAX_VALUES) return true;
      }
    }
  }
  return false;
}

function refers(name: string, value: unknown): boolean {
  if (typeof value === 'string') {
    if (name === 'type') return OWN_TOOLS.test(value);
    if (ADDRESSES.test(name)) return ELSEWHERE.test(value) && !value.startsWith('data:');
  }
  return REFERENCES.test(name) && (typeof value === 'string' ? value !== '' : isObject(value) && Object.keys(value).length > 0);
}
