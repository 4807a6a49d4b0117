import type { ProviderType } from '../provider.js';

/** Whether an address is the vendor's, in whatever region. */
export const isOwnAddress = ({ baseUrl, aliases }: ProviderType, url: string): boolean =>
  url === baseUrl || Object.values(aliases).includes(url);
