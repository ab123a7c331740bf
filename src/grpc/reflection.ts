import type { ServerDuplexStream, UntypedServiceImplementation } from "@grpc/grpc-js";
import { status as Code } from "@grpc/grpc-js";
import type { FileDescriptor } from "../contract/file-descriptors.ts";

/** The names of the two versions of the service. Their messages are the same. */
export const REFLECTION_SERVICES = [
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
] as const;

/** A request as the codec of the descriptor set decodes it: one of the members is set. */
interface ReflectionRequest {
  readonly host?: string;
  readonly file_by_filename?: string;
  readonly file_containing_symbol?: string;
  readonly file_containing_extension?: { readonly containing_type?: string };
  readonly all_extension_numbers_of_type?: string;
  readonly list_services?: string;
}

type Answer =
  | { readonly file_descriptor_response: { readonly file_descriptor_proto: readonly Buffer[] } }
  | { readonly list_services_response: { readonly service: readonly { readonly name: string }[] } }
  | { readonly all_extension_numbers_response: { readonly base_type_name: string; readonly extension_number: [] } }
  | { readonly error_response: { readonly error_code: number; readonly error_message: string } };

/**
 * Server reflection from the descriptor set that the proto compiler wrote, so that grpcurl and buf curl see imported
 * types, optional fields and error details exactly as in the proto. Source: grpc/reflection/v1/reflection.proto.
 */
export class Reflection {
  readonly #byName: ReadonlyMap<string, FileDescriptor>;
  readonly #bySymbol: ReadonlyMap<string, FileDescriptor>;
  readonly #services: readonly string[];

  /** `services`: the full names that a list request returns. Everything in `files` can be looked up. */
  constructor(files: readonly FileDescriptor[], services: readonly string[]) {
    this.#byName = new Map(files.map((file) => [file.name, file]));
    this.#bySymbol = new Map(files.flatMap((file) => file.symbols.map((symbol) => [symbol, file] as const)));
    this.#services = services;
  }

  /** The implementation of either version of the service. */
  get implementation(): UntypedServiceImplementation {
    return {
      ServerReflectionInfo: (call: ServerDuplexStream<ReflectionRequest, object>) => {
        call.on("data", (request: ReflectionRequest) => {
          const more = call.write({
            valid_host: request.host ?? "",
            original_request: request,
            ...this.answer(request),
          });
          // An answer is a thousand times as long as its request. A client that sends requests and does not read the
          // answers would fill the server's memory.
          if (!more) call.pause().once("drain", () => call.resume());
        });
        call.on("end", () => call.end());
      },
    };
  }

  /** The answer to one request. */
  answer(request: ReflectionRequest): Answer {
    const { file_by_filename, file_containing_symbol, all_extension_numbers_of_type } = request;
    if (request.list_services !== undefined) return this.#list();
    if (file_by_filename !== undefined) return this.#file(this.#byName.get(file_by_filename), file_by_filename);
    if (file_containing_symbol !== undefined) return this.#symbol(file_containing_symbol);
    if (all_extension_numbers_of_type !== undefined) return this.#extensions(all_extension_numbers_of_type);
    return failure(Code.NOT_FOUND, "there are no extensions");
  }

  #list(): Answer {
    return { list_services_response: { service: this.#services.map((name) => ({ name })) } };
  }

  #symbol(symbol: string): Answer {
    return this.#file(this.#bySymbol.get(symbol), symbol);
  }

  #extensions(type: string): Answer {
    if (!this.#bySymbol.has(type)) return failure(Code.NOT_FOUND, `not found: ${type}`);
    return { all_extension_numbers_response: { base_type_name: type, extension_number: [] } };
  }

  #file(file: FileDescriptor | undefined, name: string): Answer {
    if (file === undefined) return failure(Code.NOT_FOUND, `not found: ${name}`);
    const closure = this.#withDependencies(file, new Set());
    return { file_descriptor_response: { file_descriptor_proto: [...closure].map(({ bytes }) => bytes) } };
  }

  #withDependencies(file: FileDescriptor, found: Set<FileDescriptor>): Set<FileDescriptor> {
    found.add(file);
    for (const name of file.dependencies) {
      const dependency = this.#byName.get(name);
      if (dependency !== undefined && !found.has(dependency)) this.#withDependencies(dependency, found);
    }
    return found;
  }
}

function failure(code: number, message: string): Answer {
  return { error_response: { error_code: code, error_message: message } };
}
