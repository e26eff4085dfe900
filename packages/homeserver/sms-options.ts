import { Type, type Static } from 'typebox'
import { duration, secret } from './ops/config-options.ts'

/** How this server has text messages sent. */
export const smsOptions = Type.Object(
  {
    url: Type.Optional(
      Type.String({
        pattern: '^https?://',
        description:
          'A program of yours that hands text messages on to a gateway: it is sent each as JSON, see docs/operate/sms.md. Without it no text message is sent. It may be at a private address.',
      }),
    ),
    token: Type.Optional(
      secret('Sent along as "Authorization: Bearer …", by which that program knows this server.'),
    ),
    timeout: duration('10s', 'How long that program may take to answer, which people wait for.'),
    countries: Type.Array(Type.String({ pattern: '^([A-Z]{2}|\\*)$' }), {
      default: [],
      description:
        'Countries whose mobile phones are sent text messages, such as [DE, AT]; "*" stands for all. Messages to some countries cost fifty times as much as those to yours, and are asked for by people who earn from that.',
    }),
    per_hour: Type.Integer({
      default: 100,
      minimum: 1,
      description:
        'Text messages at most in an hour, to whomever. A number gets three of them, then one an hour; how many somebody may ask for stands in rate_limits.sms.',
    }),
    required_for_registration: Type.Boolean({
      default: false,
      description: 'Whether whoever makes an account has to confirm a telephone number.',
    }),
  },
  { description: 'Text messages: telephone numbers of people, to reset a password and to log in by.' },
)

export type SmsConfig = Static<typeof smsOptions>

// Made when it is asked for: the data of languages that come with it take 4 MB of memory for good.
let regions: Intl.DisplayNames | undefined

/** Whether it is a code of ISO 3166-1 in use: UK, for one, is GB there. */
function isCountry(code: string): boolean {
  const name = `und-${code}`
  regions ??= new Intl.DisplayNames('en', { type: 'region', fallback: 'none' })
  return Intl.getCanonicalLocales(name)[0] === name && regions.of(code) !== undefined
}

/** Options that do not go together. */
export function findSmsConflicts({
  url,
  token,
  timeout,
  countries,
  required_for_registration: isRequired,
}: SmsConfig): { path: string[]; message: string }[] {
  const conflicts: { path: string[]; message: string }[] = []
  const add = (option: string, message: string): void =>
    void conflicts.push({ path: ['sms', option], message })
  if (url !== undefined && !URL.canParse(url)) add('url', 'is no address such as http://127.0.0.1:9000/sms')
  else if (url !== undefined && new URL(url).username !== '') add('url', 'must not hold a login: use token')
  if (url !== undefined && countries.length === 0)
    add('countries', 'is needed where there is a url: the countries whose phones are sent messages')
  for (const code of countries)
    if (code !== '*' && !isCountry(code)) add('countries', `"${code}" is no country code such as GB`)
  if (url === undefined && token !== undefined) add('token', 'needs a url that it is sent to')
  if (url === undefined && isRequired)
    add('required_for_registration', 'needs a url that text messages are sent through')
  if (timeout < 1_000) add('timeout', 'must be at least 1s')
  return conflicts
}
