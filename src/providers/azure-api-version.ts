/** Where Azure OpenAI's API by deployment and date is. Its models are deployments, each with a path of its own below the address. */
export interface DatedAddress {
  /** Without the deployment and what follows it. */
  address: string;
  /** `2024-10-21`, `2025-04-01-preview` */
  apiVersion: string;
  /** What the address was given with; null: none. */
  deployment: string | null;
}

const DATED = /^([^?#]+)\?api-version=(\d{4}-\d{2}-\d{2}(?:-preview)?)$/;
const OF_DEPLOYMENT = /\/deployments\/([^/]+)(?:\/.*)?$/;

/** Reads `https://name.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21`, or the same without a deployment. */
export function datedAddress(url: string): DatedAddress | null {
  const [, address, apiVersion] = DATED.exec(url) ?? [];
  if (address === undefined || apiVersion === undefined) return null;
  return { address: address.replace(OF_DEPLOYMENT, ''), apiVersion, deployment: OF_DEPLOYMENT.exec(address)?.[1] ?? null };
}

/** As a record has it. */
export const withDate = (address: string, apiVersion: string): string => `${address}?api-version=${apiVersion}`;
