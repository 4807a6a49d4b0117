import { forgetFilters } from '../../support/walls.js';

const walls = forgetFilters();

afterAll(() => walls.restore());

describe('behind the wall alone, with the filters of the queries gone', () => {
  require('./authorization.spec.js');

  test('many statements were changed for this', () => expect(walls.changed).toBeGreaterThan(100));
});
