import { Type, type Static } from 'typebox'
import { isServerName } from '@causeway/matrix/ids/server-name.ts'
import { compileGlob } from '@causeway/matrix/push-rules/glob.ts'

/** Servers that say whose an e-mail address is. */
export const identityOptions = Type.Object(
  {
    allowed: Type.Array(Type.String(), {
      default: [],
      description:
        'Identity servers that this server speaks to when one of its users wants it: to invite somebody by e-mail address, and to publish an address of their own. By name, with the port where it has one; * and ? stand for any characters, so that "*" allows all. An identity server learns the addresses, who invites them, and the name of the room; empty: none is asked.',
    }),
    suggested: Type.Optional(
      Type.String({
        pattern: '^https://[^/]+$',
        description:
          'The identity server that clients are told to use, such as "https://id.example.org"; it must be allowed. Without it they ask their user for one, or use none.',
      }),
    ),
  },
  { description: 'Identity servers: invitations by e-mail address, and being found by one.' },
)

export type IdentityConfig = Static<typeof identityOptions>

/** @returns whether an identity server, in small letters, is one that the operator allows */
export function identityMatcher({ allowed }: Pick<IdentityConfig, 'allowed'>): (server: string) => boolean {
  const globs = allowed
    .map((pattern) => compileGlob(pattern.toLowerCase()))
    .filter((glob) => glob !== undefined)
  return (server) => globs.some((glob) => glob.matches(server))
}

/** Options that do not go together. */
export function findIdentityConflicts(
  { allowed, suggested }: IdentityConfig,
  federation: boolean,
): { path: string[]; message: string }[] {
  const conflicts: { path: string[]; message: string }[] = []
  const add = (option: string, message: string): void =>
    void conflicts.push({ path: ['identity_servers', option], message })
  if (allowed.length > 0 && !federation)
    add('allowed', 'needs federation.enabled: identity servers ask this server who its users are')
  for (const one of allowed) {
    if (!one.includes('*') && !one.includes('?') && !isServerName(one))
      add('allowed', `${JSON.stringify(one)} is no host name such as id.example.org`)
  }
  if (suggested !== undefined && !identityMatcher({ allowed })(new URL(suggested).host))
    add('suggested', 'names a server that is not in identity_servers.allowed')
  return conflicts
}
