/** The little of autocannon that the bench uses; the package brings no types. */
declare module 'autocannon' {
  interface Options {
    url: string;
    connections: number;
    amount: number;
    method: 'POST';
    headers: Record<string, string>;
    body: string;
  }
  interface Result {
    non2xx: number;
    errors: number;
    requests: { total: number };
  }
  interface Run extends Promise<Result> {
    on(event: 'response', listener: (client: unknown, status: number, bytes: number, milliseconds: number) => void): void;
  }
  function autocannon(options: Options): Run;
  export = autocannon;
}
