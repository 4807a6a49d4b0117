import Redis from 'ioredis';
import { startRedis, testsWithRedis } from '../support/redis.js';

const { test } = testsWithRedis();

describe('the Redis of the specs', () => {
  test('answers, and is gone after it was stopped', async () => {
    const redis = await startRedis();
    const client = new Redis(redis.url, { lazyConnect: true });
    await client.connect();
    expect(await client.ping()).toBe('PONG');
    client.disconnect();
    await redis.stop();
    expect(() => process.kill(redis.pid, 0)).toThrow('ESRCH');
  });
});
