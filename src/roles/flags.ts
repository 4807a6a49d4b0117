import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { ConfigError } from '../platform/config/index.js';

/**
 * The options of the command line, and the command before them.
 * @param commands the commands there are; without one, none may be given.
 * @throws ConfigError that names what is wrong.
 */
export function readFlags<Options extends ParseArgsOptionsConfig>(options: Options, commands: readonly string[] = []) {
  try {
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const stray = positionals.find((word, at) => at > 0 || !commands.includes(word));
    if (stray !== undefined) throw new Error(`Unknown command '${stray}'`);
    return { flags: values, command: positionals[0] ?? null };
  } catch (error) {
    throw new ConfigError([`${(error as Error).message.split('. ')[0]}; see --help`]);
  }
}
