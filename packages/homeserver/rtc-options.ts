import { Type, type Static } from 'typebox'

const transport = Type.Object(
  {
    type: Type.String({ minLength: 1, description: 'What kind it is: "livekit".' }),
    livekit_service_url: Type.Optional(
      Type.String({
        pattern: '^https?://',
        description:
          'Of livekit: where clients get a token for the SFU, such as "https://rtc.example.org/jwt".',
      }),
    ),
  },
  {
    patternProperties: {
      '^[a-z][a-z0-9_.]*$': Type.Unknown({ description: 'Whatever clients have to know of another kind.' }),
    },
  },
)

/** Where calls of many people go. */
export const rtcOptions = Type.Object(
  {
    transports: Type.Array(transport, {
      default: [],
      description: 'What clients are told, the preferred one first; empty: they know none from this server.',
    }),
  },
  {
    description:
      'Servers that carry the sound and pictures of calls (MatrixRTC), such as LiveKit with its token service: this server only tells clients where they are.',
  },
)

export type RtcConfig = Static<typeof rtcOptions>

/** Options that do not go together. */
export function findRtcConflicts({ transports }: RtcConfig): { path: string[]; message: string }[] {
  return transports.flatMap(({ type, livekit_service_url: url }, index) =>
    type === 'livekit' && url === undefined
      ? [
          {
            path: ['rtc', 'transports', String(index), 'livekit_service_url'],
            message: 'is needed for livekit',
          },
        ]
      : [],
  )
}
