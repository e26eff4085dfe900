import { Type, type Static } from 'typebox'
import { duration, secret } from './ops/config-options.ts'

/** How this server sends mail. */
export const emailOptions = Type.Object(
  {
    host: Type.Optional(
      Type.String({
        description: 'The mail server (SMTP). Without it no mail is sent, and nobody has an address here.',
      }),
    ),
    port: Type.Integer({ default: 587, minimum: 1, maximum: 65_535, description: 'Its port.' }),
    tls: Type.Enum(['starttls', 'implicit', 'off'], {
      default: 'starttls',
      description:
        'starttls: encrypted before anything is said (port 587); implicit: from the first byte (port 465); off: not at all, for a mail server on this machine.',
    }),
    user: Type.Optional(Type.String({ description: 'The name to log in with there.' })),
    password: Type.Optional(secret('The password for it.')),
    from: Type.Optional(
      Type.String({
        pattern: '^.*[^\\s@]+@[^\\s@]+$|^.*<[^\\s@]+@[^\\s@]+>$',
        description: 'The sender, such as "Example <noreply@example.org>".',
      }),
    ),
    required_for_registration: Type.Boolean({
      default: false,
      description: 'Whether whoever makes an account has to confirm an e-mail address.',
    }),
    notifications: Type.Boolean({
      default: true,
      description: 'Whether people may have themselves told by e-mail of messages that they missed.',
    }),
    notifications_after: duration(
      '10m',
      'How long a message has to be unread before somebody is told of it by e-mail.',
    ),
    notifications_for_new_accounts: Type.Boolean({
      default: false,
      description:
        'Whether whoever makes an account with an e-mail address is told there of missed messages, until they unsubscribe.',
    }),
    client_url: Type.Optional(
      Type.String({
        pattern: '^https?://',
        description:
          'A web client that the mails lead to, such as https://app.element.io. Default: matrix.to, where people choose one.',
      }),
    ),
  },
  { description: 'E-mail: to reset a password, to log in by address, and to be told of missed messages.' },
)

export type EmailConfig = Static<typeof emailOptions>

/** Options that do not go together. */
export function findEmailConflicts({
  host,
  from,
  user,
  password,
  required_for_registration: isRequired,
  notifications_for_new_accounts: isForNew,
}: EmailConfig): { path: string[]; message: string }[] {
  const conflicts: { path: string[]; message: string }[] = []
  const add = (option: string, message: string): void =>
    void conflicts.push({ path: ['email', option], message })
  if (host !== undefined && from === undefined) add('from', 'is needed where there is a host')
  if ((user === undefined) !== (password === undefined))
    add('user', 'needs a password, and a password a user')
  if (host === undefined && isRequired)
    add('required_for_registration', 'needs a host that mail is sent through')
  if (isForNew && host === undefined)
    add('notifications_for_new_accounts', 'needs a host that mail is sent through')
  return conflicts
}

/** Whether anybody is told by e-mail of what they missed. */
export function sendsNotifications({ host, notifications }: EmailConfig): boolean {
  return host !== undefined && notifications
}
