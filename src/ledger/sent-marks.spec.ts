import { mkdtempSync, readdirSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { hostname, tmpdir, uptime } from 'node:os';
import { join } from 'node:path';
import { newId } from '../kernel/ids.js';
import { findDeadGateways, SentMarks } from './sent-marks.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-marks-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** As if the process that wrote the marks had been another one. */
const pretend = (gatewayId: string, host: string, pid: number) =>
  renameSync(join(directory, `${gatewayId}.${hostname()}.${process.pid}`), join(directory, `${gatewayId}.${host}.${pid}`));

const NO_SUCH_PROCESS = 2 ** 22 + 1;

test('a dead gateway is found with the calls it had sent and not yet booked', () => {
  const [gatewayId, booked, open, again, refused] = [newId(), newId(), newId(), newId(), newId()];
  const marks = new SentMarks(directory, gatewayId);
  const slot = marks.mark(booked);
  marks.mark(open);
  marks.clear(slot);
  marks.mark(again);
  marks.erase(marks.mark(refused));
  pretend(gatewayId, hostname(), NO_SUCH_PROCESS);

  const [dead, ...others] = findDeadGateways(directory, newId());
  expect(others).toEqual([]);
  expect(dead).toMatchObject({ gatewayId, sent: [again, open] });
  dead!.forget();
  expect(readdirSync(directory)).toEqual([]);
});

test('of a gateway whose machine was started again since, it is not known what it had sent: its last marks may be lost', () => {
  const gatewayId = newId();
  new SentMarks(directory, gatewayId).mark(newId());
  pretend(gatewayId, hostname(), NO_SUCH_PROCESS);
  const beforeTheStart = Date.now() / 1_000 - uptime() - 10;
  utimesSync(join(directory, `${gatewayId}.${hostname()}.${NO_SUCH_PROCESS}`), beforeTheStart, beforeTheStart);
  expect(findDeadGateways(directory, newId())).toMatchObject([{ gatewayId, sent: null }]);
});

test('a gateway that lives, or that ran on another host, is left alone', () => {
  const [living, elsewhere] = [newId(), newId()];
  new SentMarks(directory, living);
  pretend(living, hostname(), process.ppid);
  new SentMarks(directory, elsewhere);
  pretend(elsewhere, 'another-host', NO_SUCH_PROCESS);
  expect(findDeadGateways(directory, newId())).toEqual([]);
});

test('a gateway that ends in order leaves nothing', () => {
  const marks = new SentMarks(directory, newId());
  marks.mark(newId());
  marks.close(true);
  expect(readdirSync(directory)).toEqual([]);
});
