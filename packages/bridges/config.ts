import { Type, type Static } from 'typebox'

const text = (standard: string, description: string) => Type.String({ default: standard, description })
const count = (standard: number, description: string, minimum = 0) =>
  Type.Integer({ default: standard, minimum, description })
const duration = (standard: string, description: string) =>
  Type.Unsafe<number>(Type.Integer({ default: standard, minimum: 0, description, 'x-unit': 'ms' }))
const secret = (description: string) => Type.String({ minLength: 1, description, 'x-secret': true })

const sasl = {
  sasl_account: Type.Optional(
    Type.String({ description: 'The bot’s account with the services of this network.' }),
  ),
  sasl_password: Type.Optional(
    secret('Its password. Sent over TLS only, unless the server is on this machine.'),
  ),
}

const limits = Type.Object(
  {
    burst: count(5, 'Lines that may be sent at once, per connection.', 1),
    per_second: Type.Number({
      default: 0.67,
      exclusiveMinimum: 0,
      description: 'Lines per second after that. More than the network tolerates gets connections closed.',
    }),
    connections: count(
      3,
      'People’s own connections at the same time, for the mode puppets. Stay below what the network allows from one address; whoever comes later is relayed by the bot.',
    ),
    lines: count(4, 'A message with more lines is sent as its beginning and a link to the rest.', 1),
    links: count(200, 'Channels that may be linked.'),
  },
  { description: 'What this network puts up with.' },
)

const channels = Type.Object(
  {
    allow: Type.Array(Type.String(), {
      default: ['#*'],
      description: 'Channels that may be linked, as patterns with * and ?.',
    }),
    deny: Type.Array(Type.String(), { default: [], description: 'Exceptions from those.' }),
  },
  { description: 'Which channels people may link.' },
)

/** One IRC network. */
export const ircServerSchema = Type.Object(
  {
    display_name: text('', 'How the network is called in room settings. Default: its name here.'),
    host: Type.String({ description: 'Host name of a server.' }),
    port: Type.Integer({ default: 6697, minimum: 1, maximum: 65535, description: 'Its port.' }),
    tls: Type.Boolean({ default: true, description: 'Whether the connection is encrypted.' }),
    tls_ca: Type.Optional(
      Type.String({
        'x-path': 'config',
        description: 'PEM file of the authority to trust, where it is not a public one.',
      }),
    ),
    password: Type.Optional(secret('Password of the server, where it wants one.')),
    nick: text('matrix', 'The bot’s nick.'),
    username: text('causeway', 'The bot’s user name there.'),
    realname: text('Matrix bridge (Causeway)', 'What the network shows about the bot.'),
    user_modes: text('+B', 'Modes that the bot sets on itself; +B marks it as a bot on many networks.'),
    ...sasl,
    channels,
    mode: Type.Enum(['relay', 'puppets'], {
      default: 'relay',
      description:
        'How people of the room speak in the channel: all through one bot (relay), or everybody by a connection of their own (puppets).',
    }),
    membership: Type.Enum(['lazy', 'eager'], {
      default: 'lazy',
      description:
        'When people of the channel appear in the room: once they have spoken (lazy), or all of them at once (eager).',
    }),
    consent: Type.Enum(['ask', 'notify'], {
      default: 'ask',
      description:
        'Whether a channel operator must agree to a link (ask), or the channel is told and may end it (notify).',
    }),
    nick_suffix: text('', 'Put behind the nicks of people’s own connections, such as [m].'),
    close_idle_after: duration(
      '0',
      'After how long without a word a connection of somebody’s own is closed; 0: never. Being idle on Matrix never counts.',
    ),
    absence: duration(
      '10m',
      'How long people lost in a netsplit or a restart may take to come back before they leave the room.',
    ),
    reactions_as_text: Type.Boolean({
      default: true,
      description: 'Whether reactions are told in words where the network has none.',
    }),
    topics_to_irc: Type.Boolean({
      default: false,
      description: 'Whether a topic set in the room is set in the channel. The other way it always is.',
    }),
    colors: Type.Enum(['numbers', 'extended', 'hex', 'none'], {
      default: 'numbers',
      description: 'Colors toward the channel: the 16 classic ones, 99, exact ones, or none.',
    }),
    monospace: Type.Enum(['codes', 'backticks', 'none'], {
      default: 'codes',
      description: 'How code looks in the channel.',
    }),
    limits,
  },
  { description: 'One IRC network.' },
)

/** The section `bridges`. */
export const bridgesConfigSchema = Type.Object(
  {
    bot: text('bridge', 'Localpart of the bot that people invite and speak to.'),
    bot_name: text('Bridge', 'Its display name.'),
    ghost_prefix: Type.String({
      default: '_bridge_',
      pattern: '^[a-z0-9._=/-]+$',
      description: 'How the user names of people from other networks begin. Cannot be changed later.',
    }),
    media_links: duration('7d', 'How long links to pictures and files work for people without an account.'),
    late_after: duration('15m', 'A message delivered later than this says when it was sent.'),
    expires_after: duration('1d', 'A message older than this is not delivered any more; its author is told.'),
    remember: duration(
      '90d',
      'How long it is remembered which event is which message: for replies and edits.',
    ),
    consent_within: duration('7d', 'How long a channel may take to answer a request.'),
    irc: Type.Object(
      {
        servers: Type.Record(Type.String({ pattern: '^[a-z0-9][a-z0-9.-]{0,31}$' }), ircServerSchema, {
          default: {},
          description: 'The IRC networks, by a short name that people use in commands.',
        }),
      },
      { description: 'Internet Relay Chat.' },
    ),
  },
  { description: 'Bridges to other networks. Each room and each channel decides for itself.' },
)

export type IrcServerConfig = Static<typeof ircServerSchema>
/** The section as the hub gets it: complete, checked, durations in milliseconds. */
export type BridgesConfig = Static<typeof bridgesConfigSchema>
