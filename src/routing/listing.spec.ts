import type { ProviderRecord, ProviderType } from '../providers/index.js';
import { listingOf } from './listing.js';

test.each([
  ['https://eu.api.openai.com/v1', true],
  ['https://api.openai.com/v1', false],
  ['https://aiplatform.googleapis.com/v1/projects/p/locations/global', false],
  ['https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4', true],
  ['https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu', true],
  ['https://europe-west4-aiplatform.googleapis.com/v1', true],
  ['http://127.0.0.1:8080/v1', false],
])('%s keeps calls to a region: %s', (baseUrl, regional) => {
  const record = { tenantId: null, name: 'any', baseUrl } as unknown as ProviderRecord;
  expect(listingOf(record, { slug: 'any', catalogId: null } as unknown as ProviderType)).toMatchObject({ regional });
});
