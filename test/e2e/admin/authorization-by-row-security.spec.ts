import { forgetFilters } from '../../support/isolation.js';

const isolation = forgetFilters();

afterAll(() => isolation.restore());

describe('by row-level security alone, with the filters of the queries gone', () => {
  require('./authorization.spec.js');

  test('many statements were changed for this', () => expect(isolation.changed).toBeGreaterThan(100));
});
