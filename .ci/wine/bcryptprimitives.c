// SPDX-License-Identifier: Apache-2.0

// This library lets wine 8 run the programs that Go makes for Windows. Each of them loads bcryptprimitives.dll at its
// start, for random bytes, and wine 8 has no such library. When it is loaded, it also mends two answers of wine's.

#include <windows.h>
#include <winternl.h>
#include <string.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length); // RtlGenRandom, of advapi32.dll

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T length) {
	const SIZE_T max_part = 1 << 20;
	while (length > 0) {
		ULONG part = (ULONG)(length < max_part ? length : max_part);
		if (!SystemFunction036(buffer, part)) {
			return FALSE;
		}
		buffer += part;
		length -= part;
	}
	return TRUE;
}

// To delete a file, Go asks for what Windows 10 can do, and for what older systems can do if the answer is
// STATUS_INVALID_INFO_CLASS. Wine cannot do the first, and answers STATUS_NOT_IMPLEMENTED.

typedef NTSTATUS(NTAPI *file_call)(HANDLE, PIO_STATUS_BLOCK, PVOID, ULONG, ULONG);

static file_call wines_set_information; // a copy of wine's NtSetInformationFile

static NTSTATUS NTAPI set_information(HANDLE file, PIO_STATUS_BLOCK io, PVOID info, ULONG length, ULONG class) {
	const NTSTATUS not_implemented = 0xC0000002, invalid_info_class = 0xC0000003;
	NTSTATUS status = wines_set_information(file, io, info, length, class);
	return status == not_implemented ? invalid_info_class : status;
}

// Wine does not know the volume of an open file any more after the file was renamed, and Go takes the file for another
// one then. The tests rename files on drive C: only.

static file_call wines_query_volume; // a copy of wine's NtQueryVolumeInformationFile
static DWORD drive_c;

struct volume_information { // FILE_FS_VOLUME_INFORMATION
	LARGE_INTEGER created;
	ULONG serial_number, label_length;
	BOOLEAN supports_objects;
	WCHAR label[1];
};

static NTSTATUS NTAPI query_volume(HANDLE file, PIO_STATUS_BLOCK io, PVOID info, ULONG length, ULONG class) {
	const ULONG volume_information = 1; // FileFsVolumeInformation
	NTSTATUS status = wines_query_volume(file, io, info, length, class);
	if (status < 0 && class == volume_information && length >= sizeof(struct volume_information)) {
		memset(info, 0, sizeof(struct volume_information));
		((struct volume_information *)info)->serial_number = drive_c;
		return 0;
	}
	return status;
}

// replace makes a function of ntdll.dll jump to another. Of the function, which is a few instructions that do not
// depend on their place, it returns a copy to call; NULL if it fails.
static file_call replace(const char *name, file_call by) {
	enum { function_size = 32 };
	BYTE jump[] = {0x48, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xE0}; // mov rax, address; jmp rax
	DWORD before;
	file_call original;
	BYTE *function = (BYTE *)GetProcAddress(GetModuleHandleA("ntdll.dll"), name);
	BYTE *copy = VirtualAlloc(NULL, function_size, MEM_COMMIT | MEM_RESERVE, PAGE_EXECUTE_READWRITE);
	if (function == NULL || copy == NULL || !VirtualProtect(function, sizeof jump, PAGE_EXECUTE_READWRITE, &before)) {
		return NULL;
	}
	memcpy(copy, function, function_size);
	memcpy(&original, &copy, sizeof original);
	memcpy(jump + 2, &by, sizeof by);
	memcpy(function, jump, sizeof jump);
	return VirtualProtect(function, sizeof jump, before, &before) ? original : NULL;
}

BOOL WINAPI DllMain(HINSTANCE library, DWORD reason, LPVOID reserved) {
	(void)library, (void)reserved;
	if (reason != DLL_PROCESS_ATTACH) {
		return TRUE;
	}
	GetVolumeInformationA("C:\\", NULL, 0, &drive_c, NULL, NULL, NULL, 0);
	wines_set_information = replace("NtSetInformationFile", set_information);
	wines_query_volume = replace("NtQueryVolumeInformationFile", query_volume);
	return wines_set_information != NULL && wines_query_volume != NULL;
}
