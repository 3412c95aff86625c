// SPDX-License-Identifier: Apache-2.0

// This library lets wine 8 run the programs that Go makes for Windows. Each of them loads bcryptprimitives.dll at its
// start, for random bytes, and wine 8 has no such library. When it is loaded, it also mends an error code of wine's.

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

typedef NTSTATUS(NTAPI *set_information)(HANDLE, PIO_STATUS_BLOCK, PVOID, ULONG, ULONG);

static set_information wines; // a copy of wine's NtSetInformationFile

static NTSTATUS NTAPI corrected(HANDLE file, PIO_STATUS_BLOCK io, PVOID info, ULONG length, ULONG class) {
	const NTSTATUS not_implemented = 0xC0000002, invalid_info_class = 0xC0000003;
	NTSTATUS status = wines(file, io, info, length, class);
	return status == not_implemented ? invalid_info_class : status;
}

// correct makes NtSetInformationFile jump to corrected. Of the function, which is a few instructions that do not
// depend on their place, it keeps a copy to call.
static BOOL correct(void) {
	enum { function_size = 32 };
	BYTE jump[] = {0x48, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xE0}; // mov rax, address; jmp rax
	void *target = corrected;
	DWORD before;
	BYTE *function = (BYTE *)GetProcAddress(GetModuleHandleA("ntdll.dll"), "NtSetInformationFile");
	BYTE *copy = VirtualAlloc(NULL, function_size, MEM_COMMIT | MEM_RESERVE, PAGE_EXECUTE_READWRITE);
	if (function == NULL || copy == NULL) {
		return FALSE;
	}
	memcpy(copy, function, function_size);
	memcpy(&wines, &copy, sizeof copy);
	memcpy(jump + 2, &target, sizeof target);
	if (!VirtualProtect(function, sizeof jump, PAGE_EXECUTE_READWRITE, &before)) {
		return FALSE;
	}
	memcpy(function, jump, sizeof jump);
	return VirtualProtect(function, sizeof jump, before, &before);
}

BOOL WINAPI DllMain(HINSTANCE library, DWORD reason, LPVOID reserved) {
	(void)library, (void)reserved;
	return reason != DLL_PROCESS_ATTACH || correct();
}
