/** As much of it as we use; the package has no types. */
declare module 'openapi-to-postmanv2' {
  interface Conversion {
    readonly result: boolean;
    readonly reason?: string;
    readonly output?: readonly { readonly type: string; readonly data: Record<string, unknown> }[];
  }
  export function convertV2(
    input: { readonly type: 'json'; readonly data: object },
    options: Readonly<Record<string, unknown>>,
    callback: (error: Error | null, result?: Conversion) => void,
  ): void;
}
