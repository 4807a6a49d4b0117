import { EXIT, exitOf, Failure, UsageFailure } from './failure.js';
import { readJson } from './flags.js';
import type { Session } from './session.js';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** Prints what Weir answers, as it is. */
export async function requestAnything({ client }: Session, method: string, path: string, body: string | undefined): Promise<void> {
  const verb = method.toUpperCase();
  if (!METHODS.includes(verb)) throw new UsageFailure(`${method} is no method: write ${METHODS.join(', ')}`);
  if (!path.startsWith('/')) throw new UsageFailure('the path begins with a slash, such as /v1/organization/budgets');
  const answer = await client.send(verb, path, body === undefined ? undefined : readJson(body, '--body'));
  process.stdout.write(answer.text.endsWith('\n') ? answer.text : `${answer.text}\n`);
  if (answer.status < 400) return;
  const code = /"code":\s*"(\w+)"/.exec(answer.text)?.[1] ?? '';
  throw new Failure(
    `${verb} ${path} answered with status ${answer.status}`,
    exitOf(answer.status, code),
    exitOf(answer.status, code) === EXIT.auth ? 'weir whoami' : null,
  );
}
