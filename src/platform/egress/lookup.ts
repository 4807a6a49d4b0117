import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';

export type Lookup = (hostname: string, done: (error: Error | null, addresses: LookupAddress[]) => void) => void;

export const resolveAll: Lookup = (hostname, done) => systemLookup(hostname, { all: true }, (error, addresses) => done(error, addresses));

/** A lookup for sockets. @param check throws for an address that may not be connected; then none of the name's is. */
export function checkedLookup(lookup: Lookup, check: (address: string) => void): LookupFunction {
  return (hostname, options, done) => {
    lookup(hostname, (error, addresses) => {
      if (error) return done(error, []);
      try {
        if (addresses.length === 0) throw new Error('the name has no address');
        for (const { address } of addresses) check(address);
      } catch (refusal) {
        return done(refusal as Error, []);
      }
      if (options.all) return done(null, addresses);
      done(null, addresses[0]!.address, addresses[0]!.family);
    });
  };
}
