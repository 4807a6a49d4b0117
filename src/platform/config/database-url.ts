import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { AddressFault, ENVIRONMENT_PARAMETERS, filesOf, hasParameter, readAddress, withParameters } from '../postgres/address.js';

type Variables = Record<string, string | undefined>;

/** A connection URL, with what the variables of libpq add to it and its files by their whole paths. Null: it is not set, or at fault. */
export function readDatabaseUrl(name: string, variables: Variables, directory: string, faults: string[]): string | null {
  const given = variables[name];
  if (given === undefined) return null;
  const added = Object.entries(ENVIRONMENT_PARAMETERS).flatMap(([parameter, variable]) => {
    const value = variables[variable];
    return value === undefined || hasParameter(given, parameter) ? [] : [{ parameter, variable, value }];
  });
  const url = withParameters(
    given,
    added.map(({ parameter, value }) => [parameter, value]),
  );
  const whole = filesOf(url).reduce((text, [parameter, file]) => withParameter(text, parameter, resolve(directory, file)), url);
  try {
    readAddress(whole);
    return whole;
  } catch (error) {
    if (!(error instanceof AddressFault)) throw error;
    const source = added.find(({ parameter }) => parameter === error.parameter);
    faults.push(source ? `${source.variable} counts for ${name}, which ${error.message}` : `${name} ${error.message}`);
    return null;
  }
}

/** The URL and what is in its files, which keep their names when they are replaced. @param url as it was read, without fault. */
export function withContents(url: string | null): string | undefined {
  if (url === null) return undefined;
  return [url, ...filesOf(url).map(([, file]) => readFileSync(file, 'utf8'))].join('\n');
}

function withParameter(url: string, name: string, value: string): string {
  const [address, query] = url.split('?') as [string, string];
  const parameters = new URLSearchParams(query);
  parameters.set(name, value);
  return `${address}?${parameters}`;
}
