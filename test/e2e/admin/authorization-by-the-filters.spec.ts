import { withoutRowSecurity } from '../../support/isolation.js';

const isolation = withoutRowSecurity();

afterAll(() => isolation.restore());

describe('by the filters of the queries alone, without row-level security', () => {
  require('./authorization.spec.js');

  test('many statements were changed for this', () => expect(isolation.changed).toBeGreaterThan(100));
});
