import { createTransport } from 'nodemailer';
import type { Secret } from '../crypto/index.js';

/** The mail server of the installation. */
export interface SmtpServer {
  /** `smtp://` or `smtps://`, with a user and password where it wants them. */
  url: Secret;
  /** The sender. */
  from: string;
}

export interface Mail {
  /** Addresses, with commas between them. */
  to: string;
  subject: string;
  text: string;
  /** The same for each attempt to send the same mail. */
  id: string;
}

/** Sends mail through the one server that the operator names. */
export class Mailer {
  private readonly transport;

  constructor(
    { url, from }: SmtpServer,
    private readonly timeoutMs: number,
  ) {
    const timeouts = { connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, socketTimeout: timeoutMs, dnsTimeout: timeoutMs };
    this.transport = createTransport({ url: url.reveal(), ...timeouts, disableFileAccess: true, disableUrlAccess: true }, { from });
  }

  /** @throws what the server or the network said, or when it takes too long. */
  async send({ to, subject, text, id }: Mail): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('the mail server takes too long')), this.timeoutMs);
    });
    const sent = this.transport.sendMail({ to, subject, text, messageId: `<${id}@weir>` });
    sent.catch(() => {});
    await Promise.race([sent, deadline]).finally(() => clearTimeout(timer));
  }
}
