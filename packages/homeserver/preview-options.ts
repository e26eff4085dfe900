import { BlockList } from 'node:net'
import { Type, type Static } from 'typebox'
import { addAddressRange } from './ops/address-range.ts'
import { bytes } from './ops/config-options.ts'

const list = (description: string) => Type.Array(Type.String(), { default: [], description })

/** What people are shown of the pages that they link to. */
export const previewOptions = Type.Object(
  {
    enabled: Type.Boolean({
      default: true,
      description:
        'Whether this server fetches pages for previews. Their servers see the address of this one, never that of a person.',
    }),
    denied_hosts: list(
      'Hosts of which no preview is made, by name; * and ? stand for any characters, so that "*.example.org" is every host below it.',
    ),
    allowed_hosts: list('When not empty, previews are made only of hosts that match one of these names.'),
    allow_private_addresses: list(
      'Private addresses that may be fetched from all the same, as ranges such as 10.0.0.0/8. Everybody with an account can then read titles of pages there.',
    ),
    obey_robots: Type.Boolean({
      default: false,
      description:
        'Whether the robots.txt of a host is asked first. Previews are made for a person who reads a link, not for an index: most servers do not ask.',
    }),
    max_image_size: bytes('10M', 'The largest picture that is kept with a preview.'),
  },
  { description: 'Previews of pages that people link to.' },
)

export type PreviewConfig = Static<typeof previewOptions>

/** Ranges that are none, with the path of each. */
export function findPreviewConflicts({
  allow_private_addresses: ranges,
}: PreviewConfig): { path: string[]; message: string }[] {
  return ranges.flatMap((range, index) => {
    try {
      addAddressRange(new BlockList(), range)
      return []
    } catch {
      const path = ['url_previews', 'allow_private_addresses', String(index)]
      return [{ path, message: 'must be an IP address or a range such as 10.0.0.0/8' }]
    }
  })
}
