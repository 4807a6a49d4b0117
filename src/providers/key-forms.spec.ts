import { otherVendorOf } from './key-forms.js';

test.each([
  ['sk-ant-api03-abc', 'https://api.openai.com/v1', 'Anthropic'],
  ['sk-proj-abc', 'https://api.anthropic.com', 'OpenAI'],
  ['gsk_abc', 'https://api.x.ai/v1', 'Groq'],
  ['AIzaSyAbc', 'https://api.openai.com/v1', 'Google'],
  ['AKIAIOSFODNN7EXAMPLE', 'https://api.openai.com/v1', 'AWS'],
])('%s at %s is a key of %s', (key, address, vendor) => expect(otherVendorOf(key, address)).toBe(vendor));

test.each([
  ['sk-ant-api03-abc', 'https://api.anthropic.com'],
  ['sk-proj-abc', 'https://api.openai.com/v1'],
  ['sk-abc', 'https://api.deepseek.com'],
  ['AIzaSyAbc', 'https://generativelanguage.googleapis.com/v1beta'],
  // A server of somebody's own takes what it likes.
  ['sk-ant-api03-abc', 'https://llm.example.com/v1'],
  ['sk-ant-api03-abc', 'https://api.openai.com.example.com/v1'],
])('%s may be right at %s', (key, address) => expect(otherVendorOf(key, address)).toBeNull());
