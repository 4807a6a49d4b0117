import { openWall } from '../../support/walls.js';

const walls = openWall();

afterAll(() => walls.restore());

describe('by the filters of the queries alone, with the wall gone', () => {
  require('./authorization.spec.js');

  test('many statements were changed for this', () => expect(walls.changed).toBeGreaterThan(100));
});
