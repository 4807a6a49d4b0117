import Redis from 'ioredis';
import { startRedis } from '../support/redis.js';

describe('the Redis of the specs', () => {
  it('answers, and is gone after it was stopped', async () => {
    const redis = await startRedis();
    if (!redis) return console.warn('this machine has no redis-server and no apt-get to fetch one');
    const client = new Redis(redis.url, { lazyConnect: true });
    await client.connect();
    expect(await client.ping()).toBe('PONG');
    client.disconnect();
    await redis.stop();
    expect(() => process.kill(redis.pid, 0)).toThrow('ESRCH');
  });
});
